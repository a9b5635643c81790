"""Answers of https servers; redirects lead to https only."""

import http.client
import ssl
import urllib.error
import urllib.parse
import urllib.request

_LOCAL = {"127.0.0.1", "::1", "localhost"}
_TRY_AGAIN = {408, 416, 425, 429, 500, 502, 503, 504}


class DownloadError(OSError):
    """A file that cannot be had, or is not the one that is wanted."""

    exit_code = 1


class NetworkFault(Exception):
    """What may be gone on another try; what has come so far is good."""


def check_address(url: str, local_http: bool = False) -> None:
    """Refuses what is not https.

    Raises:
        DownloadError: naming the address.
    """
    parts = urllib.parse.urlsplit(url)
    local = local_http and parts.scheme == "http" and parts.hostname in _LOCAL
    if not local and (parts.scheme != "https" or not parts.hostname):
        raise DownloadError(f"expected an address that starts with https://, received {url!r:.200}")


def open_address(
    url: str, headers: dict[str, str], timeout: float, local_http: bool = False
) -> http.client.HTTPResponse:
    """Asks for a file, whole or, with a Range header, in part; the answer is not packed.

    Args:
        url: https.
        headers: of the request.
        timeout: seconds without an answer.
        local_http: also takes http from this machine, as tests do.

    Raises:
        DownloadError: another attempt will not help.
        NetworkFault: it may; `args[1]` is the status where the server gave one.
    """
    check_address(url, local_http)
    # identity: packed answers have other lengths and hashes.
    headers = {"User-Agent": "posekit", "Accept-Encoding": "identity"} | headers
    opener = urllib.request.build_opener(_HttpsRedirects(local_http))
    try:
        answer = opener.open(urllib.request.Request(url, headers=headers), timeout=timeout)
    except urllib.error.HTTPError as error:
        error.close()
        raise _refusal(url, error.code, error.reason) from error
    except DownloadError:
        raise
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, (ssl.SSLCertVerificationError, ValueError)):
            raise DownloadError(f"{url}: {reason}") from error
        raise NetworkFault(f"{type(reason).__name__}: {reason}", None) from error
    encoding = answer.headers.get("Content-Encoding", "identity")
    if answer.status in (200, 206) and encoding == "identity":
        return answer
    answer.close()
    raise _refusal(url, answer.status, f"{answer.reason}, {encoding}")


def _refusal(url: str, status: int, reason: str) -> Exception:
    if status in _TRY_AGAIN:
        return NetworkFault(f"the server answers {status} {reason}", status)
    return DownloadError(f"{url}: expected the file, the server answers {status} {reason}")


class _HttpsRedirects(urllib.request.HTTPRedirectHandler):
    """Follows to https only."""

    def __init__(self, local_http: bool):
        self.local_http = local_http

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        check_address(newurl, self.local_http)
        return super().redirect_request(req, fp, code, msg, headers, newurl)

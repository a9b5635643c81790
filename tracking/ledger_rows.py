"""What was measured here of tracking, in the ledger of reproduction.

Imports no TensorFlow.
"""

from posekit.ledger import Paper

PAPERS: tuple[Paper, ...] = ()

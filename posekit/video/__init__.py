"""Frames of videos, folders of pictures and cameras; annotated videos, in pieces when need be.

reading: `open_video` tells by its argument which of the three it is.
video_file, picture_folder: what it returns; both have the same members.
timestamps: when a decoded frame is to be shown.
writing: `VideoWriter`, one file that stays playable when the process is killed.
segments: `SegmentedVideo`, files of a few seconds that a resumed run continues, joined at the end.
faults: what was wrong with a video, and the error when nothing can be read or written.
pyav: the package that decodes and encodes.
"""

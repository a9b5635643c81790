"""Tracking: people of a video followed from frame to frame, with optical flow."""

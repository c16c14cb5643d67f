"""Labels of AI-generated videos: in the metadata (GB 45438-2025), on the image, and signed (C2PA)."""

from airflow_provider_siliconflow.label.settings import ContentCredentials, VideoLabel, VisibleLabel

__all__ = ["ContentCredentials", "VideoLabel", "VisibleLabel"]

"""Make videos with SiliconFlow (硅基流动) from Apache Airflow."""

from __future__ import annotations

__version__ = "0.1.0"

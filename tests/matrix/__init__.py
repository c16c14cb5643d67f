"""The suites on every release of Airflow that is supported: ``make matrix``."""

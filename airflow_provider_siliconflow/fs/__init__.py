"""File systems that this provider registers with Airflow."""

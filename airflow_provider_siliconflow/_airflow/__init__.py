"""The only package that knows Airflow's private names and the differences between its releases."""

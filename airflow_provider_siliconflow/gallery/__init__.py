"""The gallery of videos inside Airflow's UI: a plugin, its routes and its page."""

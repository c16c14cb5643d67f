"""Prompts in files, as Airflow's operators take their texts: a text that ends like a file names one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jinja2 import TemplateNotFound

from airflow_provider_siliconflow.exceptions import SiliconFlowError

if TYPE_CHECKING:
    from collections.abc import Sequence


class PromptFilesMixin:
    """Templates from files, with an error that says how a text that merely ends like a file is given."""

    template_ext: Sequence[str] = (".txt", ".md", ".j2")

    def render_template(
        self, content: Any, context: Any, jinja_env: Any = None, seen_oids: set[int] | None = None
    ) -> Any:
        """
        Render a template, from a file of the DAG's folder or ``template_searchpath`` where it ends like one.

        :param content: A text, or texts in lists and mappings; see Airflow's ``Templater``.
        :param context: The task's context.
        :param jinja_env: Jinja's environment; by default that of the DAG.
        :param seen_oids: Ids of the objects that are rendered already.
        :return: What it renders to.
        :raises SiliconFlowError: if there is no such file, or it is not UTF-8.
        """
        try:
            return super().render_template(content, context, jinja_env, seen_oids)  # type: ignore[misc]
        except TemplateNotFound as error:
            raise SiliconFlowError(
                f"There is no file {error.name!r} in the DAG's folder or its template_searchpath. A text that ends in"
                f" {', '.join(self.template_ext)} names a file; to use it as it is, end it with a full stop, or give"
                " literal(…) of airflow.sdk (Airflow 3.1 and later). This try has submitted nothing."
            ) from error
        except UnicodeDecodeError as error:
            raise SiliconFlowError(
                f"The template file {str(content)[:80]!r} is not UTF-8 ({error.reason}). This try has submitted"
                " nothing."
            ) from error

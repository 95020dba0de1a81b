"""A report of runs as one HTML file: its content, and how it is rendered."""

from charrnn.views.report.page import is_report, report_page

__all__ = ["is_report", "report_page"]

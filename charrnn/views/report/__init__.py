"""A report of runs as one HTML file: what it holds, and how that is drawn."""

from charrnn.views.report.page import is_report, report_page

__all__ = ["is_report", "report_page"]

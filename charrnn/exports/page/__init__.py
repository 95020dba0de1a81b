"""A model as one HTML file: the weights, a network in JavaScript that uses them, and a page.

The page needs nothing else, and its Content-Security-Policy lets it load nothing else.
"""

from charrnn.exports.page.assembling import page_of, write_page

__all__ = ["page_of", "write_page"]

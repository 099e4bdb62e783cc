"""The studio: a web application that shows workflows and runs, and lets people answer them."""

__version__ = "0.1.0"

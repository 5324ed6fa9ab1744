"""The report: pictures, figures, pages, LaTeX."""

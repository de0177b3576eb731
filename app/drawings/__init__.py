"""Pictures: files of an evaluation in, an SVG or PNG file out; `app.plots` are their commands."""

"""Evaluations: how well detectors, forecasts and quality control do on recordings they have not seen.

Each file takes series and gives tables; reading files and printing is done by ``app.evaluations``.
"""

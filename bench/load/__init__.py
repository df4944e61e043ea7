"""The load suite: the architecture paper's scenarios as k6 and Artillery files, judged by the paper's criteria.

Owns scenarios, sampling of the suite while they run, the verdict and the report. Needs a running suite (`make up`).
"""

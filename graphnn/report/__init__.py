"""The report: one dictionary of numbers and names (`report.json`), and one HTML file made from it and nothing else."""

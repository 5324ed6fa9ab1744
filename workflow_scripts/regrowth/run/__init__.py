"""What runs a study: jobs, plans, progress, devices, the driver."""

"""The read model: what the pages and the API say of the shop, worked out from the projection's rows and nothing else."""

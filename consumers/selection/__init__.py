"""Which settled sessions a scanner wants: watermarks, eligibility, sampling, and the requests that follow."""

"""Raw rows become bars on the grid: spelling, repair, merging of venues, resampling, made markets."""

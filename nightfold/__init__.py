"""The domain: frames and specs in, frames and values out. It never imports the orchestrator."""

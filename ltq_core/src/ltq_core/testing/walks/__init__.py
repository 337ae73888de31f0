"""Random walks of calls, compared with a simple model: what no single fact foresees."""

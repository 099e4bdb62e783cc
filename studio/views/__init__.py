"""What pages show: frozen views, made of what the engine says; the templates decide nothing."""

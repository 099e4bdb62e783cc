"""The commands of ``studio``: a module for each, whose ``add`` declares its words and flags."""

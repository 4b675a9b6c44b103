"""The stages of a detector's build, from recorded data and scenarios to the folder that ships."""

"""What the user asked for: settings, their grammar, layers of files and options, metrics and requirements.

Pure except for reading the files; options of the command line belong to commands.
"""

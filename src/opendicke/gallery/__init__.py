"""What the library can do beyond the paper: one module a piece, each with numbers, a picture and checks."""

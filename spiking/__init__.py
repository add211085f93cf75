"""The engine of the spiking network: pure computation on NumPy and Numba, without files and options."""

"""Coefficients by the letters that papers write them with."""

GREEK = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "kappa": "κ", "rho0": "ρ₀", "T0": "T₀",
    "L0": "L₀", "B0": "B₀", "N0": "N₀", "compression_rate_opt": "T*, bytes per token",
    "bytes_per_param_opt": "ρ*, bytes per parameter", "bits_per_byte_opt": "bits per byte",
}  # fmt: skip

"""An upgrade at noon, tried: old code, new code and a migration side by side under load, and nobody may notice."""

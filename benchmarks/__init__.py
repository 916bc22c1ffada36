"""What the library costs: ``python -m benchmarks`` measures and prints the tables of docs/performance.md."""

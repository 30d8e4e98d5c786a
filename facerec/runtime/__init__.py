"""The machine: device, allocator, files written whole, shares of work, ONNX sessions."""

"""What the actors know: plain libraries with no actor inside, except the runtime they stand on."""

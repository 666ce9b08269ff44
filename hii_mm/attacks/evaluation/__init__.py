"""Run attacks on encrypted images and measure what they recover."""

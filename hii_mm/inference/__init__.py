"""Predict with a trained model on plain and on encrypted pictures, and bring the answers back to the plain frame.

:func:`.api.predict` is the way in; :class:`.classifier.HIIClassifier` and
:class:`.detector.HIIDetector` are inferencers for those who work with mm.
"""

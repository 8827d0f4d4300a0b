"""Networks of Darknet (Redmon 2013-2018; Bochkovskiy's fork): configuration, weights, import."""

"""Faces: who is the same person, with MTCNN and FaceNet."""

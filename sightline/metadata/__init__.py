"""What a file says of its picture: EXIF, XMP in it and beside it, IPTC, its container; read as facts."""

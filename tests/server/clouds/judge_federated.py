"""Whether Google's own library takes these files of credentials, as the arguments say: FILE yes|no, and so on."""

import sys

import google.auth
from google.auth.exceptions import GoogleAuthError

for path, expected in zip(sys.argv[1::2], sys.argv[2::2]):
    try:
        google.auth.load_credentials_from_file(path)
        taken = "yes"
    except (GoogleAuthError, ValueError) as error:
        taken, _ = "no", print(error, file=sys.stderr)
    if taken != expected:
        sys.exit(f"{open(path).read()}: it is taken: {taken}")

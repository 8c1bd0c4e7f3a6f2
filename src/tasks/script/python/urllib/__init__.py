# What there is of it: urllib.parse. A script has no network: an `http` task fetches.

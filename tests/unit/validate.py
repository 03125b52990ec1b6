# SPDX-License-Identifier: BSD-2-Clause
"""validate.py SCHEMA: does the JSON on standard input follow it? Each breach is one line on stderr."""
import json
import sys

import jsonschema

with open(sys.argv[1], encoding="utf-8") as f:
    schema = json.load(f)
kind = jsonschema.Draft202012Validator
kind.check_schema(schema)
breaches = list(kind(schema).iter_errors(json.load(sys.stdin)))
for b in breaches:
    print(f"{b.json_path}: {b.message[:200]}", file=sys.stderr)
sys.exit(bool(breaches))

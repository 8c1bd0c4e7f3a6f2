// The modules that a Python script can import beside what MicroPython brings itself: their texts by path.

import builtins from './python/_builtins.py'
import classes from './python/_classes.py'
import host from './python/_host.py'
import mathModule from './python/_math.py'
import methods from './python/_methods.py'
import patch from './python/_patch.py'
import strftime from './python/_strftime.py'
import abc from './python/abc.py'
import base64 from './python/base64.py'
import bisect from './python/bisect.py'
import collections from './python/collections/__init__.py'
import collectionsAbc from './python/collections/abc.py'
import contextlib from './python/contextlib.py'
import copy from './python/copy.py'
import dataclasses from './python/dataclasses.py'
import datetime from './python/datetime.py'
import enumModule from './python/enum.py'
import functools from './python/functools.py'
import hashlib from './python/hashlib.py'
import heapq from './python/heapq.py'
import hmac from './python/hmac.py'
import itertools from './python/itertools.py'
import json from './python/json.py'
import operator from './python/operator.py'
import random from './python/random.py'
import re from './python/re.py'
import statistics from './python/statistics.py'
import stringModule from './python/string.py'
import textwrap from './python/textwrap.py'
import time from './python/time.py'
import typing from './python/typing.py'
import urllib from './python/urllib/__init__.py'
import urllibParse from './python/urllib/parse.py'
import uuid from './python/uuid.py'
import { classesOf } from './python-classes.ts'

const TEXTS: Readonly<Record<string, string>> = {
  _builtins: builtins,
  _classes: classes,
  _host: host,
  _math: mathModule,
  _methods: methods,
  _patch: patch,
  _strftime: strftime,
  abc,
  base64,
  bisect,
  'collections/__init__': collections,
  'collections/abc': collectionsAbc,
  contextlib,
  copy,
  dataclasses,
  datetime,
  enum: enumModule,
  functools,
  hashlib,
  heapq,
  hmac,
  itertools,
  json,
  operator,
  random,
  re,
  statistics,
  string: stringModule,
  textwrap,
  time,
  typing,
  'urllib/__init__': urllib,
  'urllib/parse': urllibParse,
  uuid,
}

/** What the interpreter brings and scripts are welcome to. */
const NATIVE = [
  'array',
  'binascii',
  'cmath',
  'errno',
  'fnmatch',
  'gc',
  'gzip',
  'html',
  'io',
  'logging',
  'math',
  'struct',
  'sys',
  'types',
  'zlib',
]

/** Every module that a script may want, for people. */
export const PYTHON_MODULE_NAMES: readonly string[] = [
  ...Object.keys(TEXTS).flatMap((path) =>
    path.startsWith('_') ? [] : path.replace('/__init__', '').replace('/', '.'),
  ),
  ...NATIVE,
].sort()

/** Those modules that look at the script's own text, and the names of methods that the interpreter lacks (python/_methods.py). */
const NEEDS_CLASSES = /\b(?:dataclasses|enum|typing)\b/
const NEEDS_METHODS = new RegExp(
  `\\b(?:${[
    'capitalize|casefold|center|expandtabs|format_map|isalnum|isascii|isdecimal|isidentifier|isnumeric|isprintable|istitle|ljust',
    'maketrans|removeprefix|removesuffix|rjust|swapcase|title|translate|zfill',
    'as_integer_ratio|bit_count|bit_length|conjugate',
  ].join('|')})\\b`,
)

/** What a script finds, by path without `.py`. */
export function modulesFor(code: string): Readonly<Record<string, string>> {
  if (!NEEDS_CLASSES.test(code)) return TEXTS
  const classes = classesOf(code).map(([name, members]) => {
    const rows = members.map(([member, annotation, hasValue]) => {
      return `[${JSON.stringify(member)},${annotation === null ? 'None' : JSON.stringify(annotation)},${hasValue ? 'True' : 'False'}]`
    })
    return `[${JSON.stringify(name)},[${rows.join(',')}]]`
  })
  return { ...TEXTS, _source: `CLASSES = [${classes.join(',')}]\n` }
}

/** What is run before the script, and depends on nothing but the modules that it names. */
export function preludeFor(code: string): string {
  const wanted = new Set<string>(['_builtins', '_host'])
  if (NEEDS_METHODS.test(code)) wanted.add('_methods')
  for (const [, imported, from] of code.matchAll(
    /^[ \t]*(?:import[ \t]+([\w., \t]+)|from[ \t]+([\w.]+)[ \t]+import\b)/gm,
  )) {
    for (const part of (imported ?? from!).split(',')) {
      const name = part.trim().split(/[ \t]/)[0]!
      if (PYTHON_MODULE_NAMES.includes(name)) wanted.add(name)
    }
  }
  return [...wanted]
    .sort()
    .map((name) => `__import__("${name}")`)
    .join('\n')
}

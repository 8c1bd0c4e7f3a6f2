// The modules that a Python script can import beside what MicroPython brings itself, by name.

import host from './python/_host.py'

export const PYTHON_MODULES: Readonly<Record<string, string>> = { _host: host }

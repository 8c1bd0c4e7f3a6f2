# What the interpreter forgets of a class: the order of its names, and names that have an annotation but no value. They are read
# from the script's text, which the host has gone through before (python-classes.ts).


def members(name, known):
    # [name, annotation or None, whether it has a value] of each name in the class's body, in order.
    from _source import CLASSES

    # known: what the class holds, to tell apart classes of one name.
    fitting = []
    for found, body in CLASSES:
        if found == name:
            names = [member[0] for member in body]
            if all(one in names for one in known) and all(member[0] in known for member in body if member[2]):
                if body not in fitting:
                    fitting.append(body)
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise TypeError("there are two classes " + name + " in the script that look alike; give them different names")
    raise TypeError("the text of class " + name + " was not found in the script; it must be written out there")

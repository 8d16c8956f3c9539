"""Which parts of a README are executed."""

from tests.readme.blocks import Block, blocks_to_run

README = """\
# Title

```sh run
first
```

```sh
only to read
```

````markdown
```sh run
inside another block
```
````

~~~sh run
second \\
  line
~~~
"""


def test_marked_blocks_are_found_in_order() -> None:
    assert blocks_to_run(README) == [Block(4, "first\n"), Block(18, "second \\\n  line\n")]


def test_a_text_without_marked_blocks_has_none() -> None:
    assert blocks_to_run("```sh\nls\n```\n") == []

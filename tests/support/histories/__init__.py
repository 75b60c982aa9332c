# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
Random histories of batches in virtual time: the real batch, over vendors, a storage and a clock that are made up.

- :mod:`.vendors` sells, as the vendors' pages say, and keeps books that nothing of the package writes.
- :mod:`.machine` has time, storage and network, and lets processes die, freeze and be told to stop at any request.
- :mod:`.batches` runs the tries of a batch, and does what people do: clear, edit, answer, rotate keys.
- :mod:`.judge` compares the vendors' books with what was recorded, stored and told.
- :mod:`.themes` say what happens often.
- :mod:`.history` draws one history from a seed, and runs it.
"""

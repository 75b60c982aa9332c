# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The products that a vendor itself must know: found, or made once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG

from airflow_provider_adgen.campaigns import Brief, Plan, plan_campaign
from airflow_provider_adgen.campaigns.vendor_products import ensure_vendor_products
from airflow_provider_adgen.compat import AirflowFailException
from airflow_provider_adgen.core.briefs import with_vendor_ids
from airflow_provider_adgen.core.errors import InvalidRequest, NotFound, WireError
from airflow_provider_adgen.hooks.adsumo import AdsumoHook
from airflow_provider_adgen.hooks.cutx import CutxHook
from airflow_provider_adgen.operators.adsumo import AdsumoEnsureProductOperator
from airflow_provider_adgen.operators.cutx import CutxEnsureProductOperator
from tests.support.products import ShopRow
from tests.support.tasks import run_task, task_context
from tests.support.wires import WIRES, Both, caller

if TYPE_CHECKING:
    from airflow_provider_adgen.sandbox import Sandbox

LAMP = {
    "name": "Desk lamp",
    "link": "https://shop.example/desk-lamp",
    "description": "A small lamp.",
    "category": "Lamps",
    "image_url": "https://shop.example/desk-lamp.jpg",
}
CANONICAL = {**LAMP, "link": "https://www.shop.example/en/desk-lamp?ref=feed"}
RED = {**LAMP, "link": "https://shop.example/desk-lamp?colour=red"}
BLUE = {**LAMP, "link": "https://shop.example/desk-lamp?colour=blue"}


def posts(sandbox: Sandbox) -> list[str]:
    return [one["path"] for one in sandbox.requests(method="POST")]


@pytest.fixture(params=WIRES)
def adsumo(request: pytest.FixtureRequest, accounts: Sandbox) -> Both:
    return caller(AdsumoHook(), request.param)


@pytest.fixture(params=WIRES)
def cutx(request: pytest.FixtureRequest, accounts: Sandbox) -> Both:
    return caller(CutxHook(), request.param)


def test_adsumo_makes_a_product_once(accounts: Sandbox, adsumo: Both) -> None:
    made = adsumo("ensure_product", **LAMP)
    assert (made.name, made.link, made.category) == ("Desk lamp", LAMP["link"], "Lamps")
    assert made.image_url
    assert adsumo("ensure_product", **{**LAMP, "description": "Another text."}).id == made.id
    assert adsumo("ensure_product", name="desk lamp").id == made.id
    assert adsumo("ensure_product", name="Lamp", link="http://shop.example/desk-lamp/?utm_source=feed").id == made.id
    assert adsumo("ensure_product", **CANONICAL).id == made.id
    assert len(list(AdsumoHook().list_products())) == 1
    assert accounts.charges == []


def test_adsumo_needs_more_to_make_one_than_to_find_one(accounts: Sandbox, adsumo: Both) -> None:
    with pytest.raises(InvalidRequest, match=r"does not know the product 'Chair'.* needs category, image_url\. It was"):
        adsumo("ensure_product", name="Chair", description="A chair.")
    with pytest.raises(InvalidRequest, match="Adsumo has no projects"):
        adsumo("ensure_product", **LAMP, project_id="p")
    with pytest.raises(InvalidRequest, match="image_url"):
        adsumo("ensure_product", **{**LAMP, "image_url": "lamp.jpg"})
    with pytest.raises(InvalidRequest, match="name"):
        adsumo("ensure_products", [{"link": "https://shop.example/x"}])
    assert list(AdsumoHook().list_products()) == []


def test_two_tasks_at_once_make_one_product_at_adsumo(accounts: Sandbox) -> None:
    """Neither finds it in the list: the key that follows from its fields makes the second answer the first's."""
    from airflow_provider_adgen.vendors.adsumo import products

    hook = AdsumoHook()
    first, second = products.ensure_product(**LAMP), products.ensure_product(**LAMP)  # type: ignore[arg-type]

    def drive(steps: Any, answer: Any = None) -> Any:
        call = steps.send(answer)
        return call if call.method == "POST" else drive(steps, hook.run_blocking(lambda wire: wire.call(call)))

    calls = [drive(steps) for steps in (first, second)]
    made = [hook.run_blocking(lambda wire, one=call: wire.call(one)) for call in calls]
    assert made[0].id == made[1].id
    assert len(list(hook.list_products())) == 1


def test_cutx_makes_project_and_product_once(accounts: Sandbox, cutx: Both) -> None:
    project = cutx("ensure_project", name="Spring", description="Sale")
    assert (project.name, project.description) == ("Spring", "Sale")
    assert cutx("ensure_project", name=" spring").id == project.id
    lamp = {"name": LAMP["name"], "link": LAMP["link"]}
    made = cutx("ensure_product", **lamp, project_id=project.id)
    assert made.source_url == LAMP["link"]
    assert cutx("ensure_product", **lamp, project_id=project.id).id == made.id
    assert cutx("ensure_product", name=made.name, project_id=project.id).id == made.id
    assert cutx("ensure_product", name="Desk lamp", link=CANONICAL["link"], project_id=project.id).id == made.id
    assert [one.id for one in cutx("ensure_products", [LAMP], project_id=project.id)] == [made.id]
    other = cutx("ensure_project", name="Autumn")
    assert cutx("ensure_product", **lamp, project_id=other.id).id != made.id
    assert accounts.charges == []


def test_what_cutx_cannot_make(accounts: Sandbox, cutx: Both) -> None:
    project = cutx("ensure_project", name="Spring").id
    with pytest.raises(InvalidRequest, match=r"does not know the product 'Chair'.*give link\. It was not made"):
        cutx("ensure_product", name="Chair", project_id=project)
    with pytest.raises(InvalidRequest, match="project_id"):
        cutx("ensure_product", name="Chair", project_id="Spring")
    with pytest.raises(InvalidRequest, match=r"takes no description and no image_url of it: leave that out\. Nothing"):
        cutx("ensure_product", name="Chair", description="A chair.", image_url=LAMP["image_url"], project_id=project)
    with pytest.raises(NotFound):
        cutx("ensure_product", name="Chair", project_id="0b6f2f0e-93f0-4c5e-8d0a-3c1f5f0f7a11")


def test_many_are_ensured_with_one_look_at_the_list(accounts: Sandbox, adsumo: Both) -> None:
    wanted = [{**LAMP, "name": f"Lamp {number}", "link": f"https://shop.example/{number % 5}"} for number in range(7)]
    ids = [product.id for product in adsumo("ensure_products", wanted)]
    assert ids[5:] == ids[:2]
    assert len(set(ids)) == 5
    assert [product.id for product in adsumo("ensure_products", wanted)] == ids
    assert len(posts(accounts)) == 5
    assert len(accounts.requests(method="GET")) == 2


def test_variants_of_one_name_are_products_of_their_own(accounts: Sandbox, adsumo: Both) -> None:
    red = adsumo("ensure_product", **RED)
    assert adsumo("ensure_product", **BLUE).id != red.id
    other = {**LAMP, "link": "https://shop.example/desk-lamp-2"}
    # Two have the name by now. Of those that are asked for together, none is taken for another one.
    two = [product.id for product in adsumo("ensure_products", [LAMP, other])]
    assert len({red.id, *two}) == 3
    assert [product.id for product in adsumo("ensure_products", [LAMP, other])] == two
    chair = {**LAMP, "name": "Chair"}
    made = adsumo("ensure_product", **chair)
    elsewhere = {**chair, "link": "https://shop.example/chair"}
    (new,) = adsumo("ensure_products", [elsewhere], others=[made.id])
    assert new.id != made.id


def test_one_that_cannot_be_made_keeps_no_other_from_it(accounts: Sandbox, adsumo: Both) -> None:
    wanted = [{**LAMP, "name": f"Lamp {number}", "link": f"https://shop.example/{number}"} for number in range(4)]
    wanted[1]["image_url"] = "lamp.jpg"
    del wanted[2]["category"]
    came = list(adsumo("ensure_products", wanted, keep_going=True))
    assert [type(one).__name__ for one in came] == ["Product", "InvalidRequest", "InvalidRequest", "Product"]
    accounts.fault("status", "adsumo", method="POST", path="/products", status=400)
    came = list(adsumo("ensure_products", [{**LAMP, "name": "Chair", "link": BLUE["link"]}, LAMP], keep_going=True))
    assert [type(one).__name__ for one in came] == ["ApiError", "Product"]
    with pytest.raises(InvalidRequest):
        list(adsumo("ensure_products", wanted))


def test_which_products_are_certainly_gone_at_adsumo(accounts: Sandbox, adsumo: Both) -> None:
    ids = [one.id for one in adsumo("ensure_products", [LAMP, {**LAMP, "name": "Chair", "link": None}])]
    assert list(adsumo("find_deleted_products", ids)) == []
    AdsumoHook().delete_product(ids[0])
    accounts.fault("status", "adsumo", method="GET", path="/products/*", status=404, body="<html>Not here</html>")
    with pytest.raises(NotFound):
        list(adsumo("find_deleted_products", ids))
    assert list(adsumo("find_deleted_products", ids)) == ids[:1]
    with pytest.raises(InvalidRequest, match="Adsumo has no projects"):
        list(adsumo("find_deleted_products", ids, project_id="p"))
    # Adsumo repeats its answer to the same creation for a day, unless it is told which one is replaced.
    assert adsumo("ensure_product", **LAMP).id == ids[0]
    (anew,) = adsumo("ensure_products", [{**LAMP, "replaces": ids[0]}])
    assert anew.id not in ids
    assert {one.id for one in AdsumoHook().list_products()} == {anew.id, ids[1]}


def test_which_products_are_certainly_gone_at_cutx(accounts: Sandbox, cutx: Both) -> None:
    project = cutx("ensure_project", name="Spring").id
    made = [one.id for one in cutx("ensure_products", [LAMP], project_id=project)]
    unknown = "0b6f2f0e-93f0-4c5e-8d0a-3c1f5f0f7a11"
    assert list(cutx("find_deleted_products", made, project_id=project)) == []
    assert list(cutx("find_deleted_products", [*made, unknown], project_id=project)) == [unknown]
    # A project that is not the account's has taken its products with it.
    assert list(cutx("find_deleted_products", made, project_id=unknown)) == made
    accounts.fault("status", "cutx", path="/api/products", status=404, body="<html>Not here</html>", times=1)
    with pytest.raises(NotFound):
        list(cutx("find_deleted_products", made, project_id=unknown))
    accounts.fault("status", "cutx", path="/api/products", status=404, times=1)
    with pytest.raises(NotFound):
        list(cutx("find_deleted_products", made, project_id=project))


def test_an_answer_that_is_lost_makes_no_second_product_at_cutx(accounts: Sandbox) -> None:
    hook = CutxHook()
    project = hook.ensure_project(name="Spring").id
    accounts.fault("drop", "cutx", path="/api/products/ingest", when="after")
    with pytest.raises(WireError):
        hook.ensure_product(name="Desk lamp", link=LAMP["link"], project_id=project)
    assert hook.ensure_product(name="Desk lamp", link=LAMP["link"], project_id=project).id
    assert len(list(hook.list_products(project))) == 1


# --- operators --------------------------------------------------------------------------------------------------------


def test_the_operators_find_next_week_what_they_made(accounts: Sandbox) -> None:
    project = CutxHook().ensure_project(name="Spring").id
    ids = []
    for week in ("2026-01-05", "2026-01-12"):
        for operator in (
            AdsumoEnsureProductOperator(task_id="adsumo", **LAMP),
            CutxEnsureProductOperator(task_id="cutx", name="Desk lamp", link=LAMP["link"], project_id=project),
        ):
            context = task_context(run_id=week)
            result = run_task(operator, context)
            assert context["ti"].xcoms == {"id": result["id"]}
            assert json.loads(json.dumps(result)) == result
            ids.append(result["id"])
    assert ids[:2] == ids[2:]
    assert len(list(AdsumoHook().list_products())) == len(list(CutxHook().list_products(project))) == 1


def test_what_a_retry_cannot_help_fails_the_task(accounts: Sandbox) -> None:
    with pytest.raises(AirflowFailException, match="needs description, category, image_url"):
        run_task(AdsumoEnsureProductOperator(task_id="adsumo", name="Chair"), task_context())
    operator = CutxEnsureProductOperator(task_id="c", name="Chair", project_id="0b6f2f0e-93f0-4c5e-8d0a-3c1f5f0f7a11")
    with pytest.raises(AirflowFailException, match="404"):
        run_task(operator, task_context())


def test_an_argument_that_the_vendor_cannot_use_is_refused(accounts: Sandbox) -> None:
    project = "0b6f2f0e-93f0-4c5e-8d0a-3c1f5f0f7a11"
    with pytest.raises(AirflowFailException, match="Adsumo has no projects: leave project_id out"):
        run_task(AdsumoEnsureProductOperator(task_id="adsumo", **LAMP, project_id=project), task_context())
    with pytest.raises(AirflowFailException, match="takes no description and no category and no image_url of it"):
        run_task(CutxEnsureProductOperator(task_id="cutx", **LAMP, project_id=project), task_context())
    assert accounts.requests() == []


def test_their_arguments_are_templated_and_mapped() -> None:
    for operator in (AdsumoEnsureProductOperator, CutxEnsureProductOperator):
        assert set(operator.template_fields) == {"conn_id", "project_id", *LAMP}
    with DAG("products", schedule=None) as dag:
        AdsumoEnsureProductOperator.partial(task_id="ensure", category="Lamps").expand_kwargs([{"name": "A"}])
    assert dag.task_ids == ["ensure"]


# --- in a campaign ----------------------------------------------------------------------------------------------------

COPY = Brief("say", "copy", platform="meta", tone="bold", formats=["short"])
SHOT = Brief("shot", "image", formats=["1:1"], options={"adsumo": {"model": "fast", "style_id": "lifestyle-outdoor"}})


def rows(*names: str) -> list[ShopRow]:
    return [ShopRow(id=name, title=f"Lamp {name}", link=f"https://shop.example/{name}") for name in names]


def sent(plan: Plan, ids: Any) -> list[Any]:
    """Send what was planned with the vendors' ids in place."""
    made = []
    for item in plan.items:
        choice = item["choices"][0]
        hook: Any = CutxHook() if choice["conn_id"].startswith("cutx") else AdsumoHook()
        request = with_vendor_ids(choice["request"], ids[choice["conn_id"]])
        made.append(hook.submit(hook.vendor.parse_request(request)))
    return made


def test_a_plan_is_sent_with_the_vendors_ids(accounts: Sandbox) -> None:
    plan = plan_campaign(rows("A", "B"), [COPY, SHOT], ["cutx_default", "adsumo_default"])
    before = len(accounts.requests())
    ids = ensure_vendor_products(plan, project="Spring")
    assert set(ids) == {"cutx_default", "adsumo_default"}
    assert set(ids["cutx_default"]["A"]) == {"product_id", "project_id", "found_by"}
    assert set(ids["adsumo_default"]["A"]) == {"product_id", "found_by"}
    made = sent(plan, ids)
    assert [one.kind for one in made] == ["copy", "image", "copy", "image"]
    assert len(accounts.charges) == 4
    # What is known is not asked for; what is not known is found.
    asked = len(accounts.requests())
    assert ensure_vendor_products(plan, project="Spring", known=ids) == ids
    assert len(accounts.requests()) == asked > before
    assert ensure_vendor_products(plan, project="Spring") == ids
    more = plan_campaign(rows("A", "B", "C"), [COPY], ["cutx_default"])
    later = ensure_vendor_products(more, project="Spring", known=ids)
    assert {name: later["cutx_default"][name] for name in "AB"} == ids["cutx_default"]
    project = ids["cutx_default"]["A"]["project_id"]
    assert len(list(CutxHook().list_products(project))) == 3


def test_a_project_that_the_briefs_name_is_used(accounts: Sandbox) -> None:
    hook = CutxHook()
    own, other = hook.ensure_project(name="Own").id, hook.ensure_project(name="Other").id
    named = Brief("say", "copy", platform="meta", tone="bold", formats=["short"], options={"cutx": {"project_id": own}})
    plan = plan_campaign(rows("A"), [named], ["cutx_default"])
    same = {"found_by": "shop.example/A"}
    known = {"cutx_default": {"A": {"product_id": "of-another-project", "project_id": other, **same}}}
    ids = ensure_vendor_products(plan, project="Spring", known=known)
    (product,) = hook.list_products(own)
    assert ids == {"cutx_default": {"A": {"product_id": product.id, "project_id": own, **same}}}
    assert [one.variants != [] for one in sent(plan, ids)] == [True]
    assert [project.name for project in hook.list_projects()].count("Spring") == 0


def test_a_product_with_another_page_is_another_product_to_the_vendor(accounts: Sandbox) -> None:
    ids = ensure_vendor_products(plan_campaign(rows("A", "B"), [COPY], ["cutx_default"]), project="Spring")
    moved = [ShopRow(id="A", title="Lamp A", link="https://shop.example/new"), *rows("B")]
    later = ensure_vendor_products(plan_campaign(moved, [COPY], ["cutx_default"]), project="Spring", known=ids)
    assert later["cutx_default"]["A"]["product_id"] != ids["cutx_default"]["A"]["product_id"]
    assert later["cutx_default"]["B"] == ids["cutx_default"]["B"]


@pytest.mark.parametrize("before", [{}, {"found_by": "lamp a"}])
def test_a_product_that_was_not_found_by_its_page_may_be_the_one_that_it_was(
    accounts: Sandbox, before: dict[str, str]
) -> None:
    """It had no page, or nobody wrote down by what it was found. The vendor keeps another address of the page."""
    plan = plan_campaign(rows("A"), [SHOT], ["adsumo_default"])
    made = AdsumoHook().ensure_product(**{**LAMP, "name": "Lamp A", "link": CANONICAL["link"]})
    known = {"adsumo_default": {"A": {"product_id": made.id, **before}}}
    ids = ensure_vendor_products(plan, project="Spring", known=known)
    assert ids == {"adsumo_default": {"A": {"product_id": made.id, "found_by": "shop.example/A"}}}

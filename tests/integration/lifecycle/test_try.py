import pytest
from airflow_provider_adgen.lifecycle import paid
from airflow_provider_adgen.operators.adsumo import *

class Killed(BaseException): ...

def kill_at(monkeypatch, point):
    def seam(p):
        if p == point:
            raise Killed
    monkeypatch.setattr(paid, "seam", seam)

def test_A(rig, monkeypatch):
    with monkeypatch.context() as m:
        kill_at(m, "before-record")
        with pytest.raises(Killed):
            rig.run(rig.operator())
    assert len(rig.charges) == 1
    rig.sandbox.fault("status", "adsumo", method="POST", status=429, retry_after=2)
    rig.retry()
    rig.run(rig.operator())
    assert len(rig.charges) == 1, rig.record()

def test_B(make_rig, monkeypatch):
    rig = make_rig(records="none")
    rig.sandbox.fault("status", "adsumo", method="POST", status=429, retry_after=1)
    with monkeypatch.context() as m:
        kill_at(m, "after-record")
        with pytest.raises(Killed):
            rig.run(rig.operator())
    assert len(rig.charges) == 1
    rig.retry()
    rig.run(rig.operator())
    assert len(rig.charges) == 1

def test_D(rig, monkeypatch):
    op = lambda **k: rig.operator(AdsumoTextToSpeechOperator, text="hi", voice_id="EXAVITQu4vr4xnSDxMaL", **k)
    rig.run(op())
    assert len(rig.charges) == 1
    rig.retry()
    rig.sandbox.fault("status", "adsumo", method="POST", status=500, times=30, when="before")
    with pytest.raises(Exception):
        rig.run(op())
    assert len(rig.posts()) < 10
    
def test_E(rig, monkeypatch):
    op = rig.operator()
    orig = rig.store.set
    n = [0]
    def set(key, value, **k):
        n[0] += 1
        if 2 <= n[0] <= 4: raise RuntimeError("x")
        return orig(key, value, **k)
    rig.store.set = set
    rig.run(op)
    assert rig.phases == ["done"]

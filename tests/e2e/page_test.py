#!/usr/bin/env python3
"""The page at `/`, driven in headless Chromium as a person would: type, watch tokens arrive, cancel,
see errors, with the keyboard and on a phone's screen."""

import json
import os
import pathlib
import shutil
import unittest

from worker import Worker

try:
    from selenium import webdriver
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import WebDriverWait
except ImportError:
    webdriver = None

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORKER = os.environ.get("LLM_WORKER", str(ROOT / "build/llm-worker"))
DEMO = str(ROOT / "models/demo")
CHROMIUM = shutil.which("chromium")
DRIVER = shutil.which("chromedriver")
PATIENCE = 60
KEY = "let-me-in"


def open_browser():
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu",
                 "--window-size=900,900"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))


@unittest.skipUnless(webdriver and CHROMIUM and DRIVER, "selenium or chromium is not installed")
class PageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # Slow enough that tokens can be watched as they come.
        environment = {k: v for k, v in os.environ.items() if k != "LLORCH_API_TOKEN"}
        environment["LLM_ISA"] = "ref"
        cls.worker = cls.enterClassContext(
            Worker(WORKER, DEMO, "--api-key", KEY, environment=environment))
        cls.browser = open_browser()
        cls.addClassCleanup(cls.browser.quit)

    def setUp(self):
        self.browser.get(f"http://127.0.0.1:{self.worker.port}/")
        self.browser.get_log("browser")  # forgets what other tests left
        self.settings_open(True)
        self.fill("key", KEY + Keys.TAB)
        self.wait(lambda: "context" in self.text("about"))

    def find(self, name):
        return self.browser.find_element(By.ID, name)

    def text(self, name):
        return self.find(name).text

    def wait(self, condition, what="the page did not get there"):
        return WebDriverWait(self.browser, PATIENCE, poll_frequency=0.05).until(
            lambda _: condition(), what + ": " + self.text("error"))

    def settings_open(self, wanted):
        if (self.find("settings").get_attribute("open") is not None) != wanted:
            self.browser.find_element(By.TAG_NAME, "summary").click()

    def fill(self, name, value):
        field = self.find(name)
        field.clear()
        field.send_keys(value)

    def answers(self):
        return self.browser.find_elements(By.CSS_SELECTOR, "article.assistant")

    def ask(self, text, **settings):
        for name, value in settings.items():
            self.fill(name, value)
        self.settings_open(False)
        self.find("prompt").send_keys(text + Keys.ENTER)

    def finished(self, count=1):
        return self.wait(lambda: len(self.answers()) == count and
                         self.answers()[-1].find_element(By.TAG_NAME, "small").text and
                         self.answers()[-1], "no answer")

    def test_an_answer_streams_in_and_its_figures_are_shown(self):
        self.ask("Hello", temperature="0", max_tokens="30")
        answer = self.finished()
        self.assertGreater(len(answer.find_element(By.TAG_NAME, "p").text), 5)
        note = answer.find_element(By.TAG_NAME, "small").text
        self.assertRegex(note, r"^\d+ tokens · .*first after \d+ ms")
        self.assertRegex(self.text("used-text"), r"^\d+ of \d+$")
        self.assertEqual(self.text("error"), "")
        self.assertEqual(self.find("prompt").get_attribute("value"), "")

    def test_a_conversation_goes_on_with_what_was_said(self):
        self.ask("Hello", temperature="0", max_tokens="10")
        self.finished(1)
        first = int(self.text("used-text").split()[0])
        self.ask("Hello")
        self.finished(2)
        self.assertGreater(int(self.text("used-text").split()[0]), first + 10)

    def test_settings_reach_the_worker(self):
        self.ask("Hello", temperature="0", max_tokens="3")
        self.assertTrue(self.finished().find_element(By.TAG_NAME, "small").text.startswith("3 tokens"))

    def while_it_runs(self, script):
        """Runs a script, with `text`, in the page whenever the running answer changes: on a busy
        machine the driver may come too late to see one run."""
        self.browser.execute_script("""
            new MutationObserver(() => {
                const answer = document.querySelector("article.assistant.running");
                if (!answer) return;
                const text = answer.querySelector("p").textContent;""" + script + """
            }).observe(document.body,
                       {subtree: true, childList: true, characterData: true, attributes: true});""")

    def test_escape_cancels(self):
        self.find("mode").send_keys("continue")
        self.while_it_runs("""
            if (text.length > 3) document.getElementById("prompt").dispatchEvent(
                new KeyboardEvent("keydown", {key: "Escape", bubbles: true}));""")
        self.ask("Once upon a time", max_tokens="2000", temperature="1.5")
        self.assertIn("cancelled", self.finished().find_element(By.TAG_NAME, "small").text)
        self.wait(lambda: self.worker.get("/v1/ready")[1]["state"] == "idle", "it still runs")
        self.assertTrue(self.find("send").is_enabled())

    def test_tokens_are_shown_as_they_arrive(self):
        self.while_it_runs("(window.lengths ||= new Set()).add(text.length);")
        self.ask("Tell me a story.", max_tokens="400", temperature="0")
        self.finished()
        lengths = self.browser.execute_script("return [...(window.lengths || [])]")
        self.assertGreater(len(lengths), 3)
        self.assertRegex(self.finished().find_element(By.TAG_NAME, "small").text,
                         r"^\d+ tokens · [\d.]+ tokens/s")

    def test_a_text_is_continued(self):
        self.find("mode").send_keys("continue")
        self.ask("Once upon a time", temperature="0", max_tokens="20")
        self.assertGreater(len(self.finished().find_element(By.TAG_NAME, "p").text), 20)

    def test_precision_and_seed_are_asked_of_the_worker(self):
        self.assertEqual([option.get_attribute("value") for option in
                          self.find("dtype").find_elements(By.TAG_NAME, "option")], ["", "f16", "bf16"])
        self.find("dtype").send_keys("bf16")
        self.ask("Hello", max_tokens="3")
        self.finished()
        _, model = self.worker.request("GET", "/v1/model", headers={"x-api-key": KEY})
        self.assertEqual(model["loaded_dtypes"], [model["dtype"], "bf16"])
        self.browser.refresh()
        self.wait(lambda: "context" in self.text("about"))
        self.settings_open(True)
        answers = []
        for _ in range(2):
            self.ask("Tell me a story.", max_tokens="12", seed="5")
            answers.append(self.finished(1).find_element(By.TAG_NAME, "p").text)
            self.find("clear").click()
            self.settings_open(True)
        self.assertEqual(answers[0], answers[1])

    def test_errors_are_shown_and_the_text_is_kept(self):
        self.ask("Keep me", max_tokens="999999")
        self.wait(lambda: "max_tokens" in self.text("error"))
        self.assertEqual(self.find("prompt").get_attribute("value"), "Keep me")
        self.assertEqual(self.answers(), [])

    def test_a_wrong_key_is_said(self):
        self.fill("key", "wrong" + Keys.TAB)
        self.ask("Hello")
        self.wait(lambda: "key" in self.text("error").lower())

    def test_it_fits_a_phone_and_every_control_has_a_name(self):
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": 360, "height": 640, "deviceScaleFactor": 2, "mobile": True})
        self.addCleanup(self.browser.execute_cdp_cmd, "Emulation.clearDeviceMetricsOverride", {})
        self.settings_open(True)
        width = self.browser.execute_script("return document.documentElement.scrollWidth")
        self.assertLessEqual(width, 360)
        for control in self.browser.find_elements(By.CSS_SELECTOR, "input, select, textarea, button"):
            self.assertTrue(control.accessible_name, control.get_attribute("outerHTML"))
        self.assertTrue(self.find("send").is_displayed())

    def test_nothing_is_loaded_from_elsewhere_and_nothing_is_reported_wrong(self):
        self.ask("Hello", max_tokens="3")
        self.finished()
        urls = self.browser.execute_script(
            "return performance.getEntriesByType('resource').map(e => e.name)")
        self.assertTrue(urls)
        for url in urls:
            self.assertTrue(url.startswith(f"http://127.0.0.1:{self.worker.port}/"), url)
        severe = [entry for entry in self.browser.get_log("browser")
                  if entry["level"] == "SEVERE" and "401" not in entry["message"]]
        self.assertEqual(severe, [], json.dumps(severe, indent=1))


if __name__ == "__main__":
    unittest.main()
